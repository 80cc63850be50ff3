package asyncloop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"libasyncloop.org/asyncloop/internal/sys"
)

// Code is a status code of the library, and an error. Codes of the system are
// negative error numbers; those below -10000 are the library's own; EUSER and
// everything below it belongs to programs.
//
// errors.Is knows the errors of Go's own packages that mean the same:
// context.Canceled, context.DeadlineExceeded, net.ErrClosed, io.ErrUnexpectedEOF,
// os.ErrDeadlineExceeded, os.ErrNotExist and the like, and syscall.Errno, which errors.As
// finds, too.
type Code int64

// The codes that programs ask for; Code.Name gives every one its name.
const (
	EINVAL          Code = sys.EINVAL
	ETIMEDOUT       Code = sys.ETIMEDOUT
	ECONNREFUSED    Code = sys.ECONNREFUSED
	ECANCELED       Code = sys.ECANCELED
	ESTALE          Code = sys.ESTALE          // the loop or the object is closed
	EPIPE           Code = sys.EPIPE           // nobody is left at the other end
	EINVALIDSTATE   Code = sys.EINVALIDSTATE   // not done yet, or done already
	EQUEUEEMPTY     Code = sys.EQUEUEEMPTY     // GetNowait on an empty queue
	EQUEUEFULL      Code = sys.EQUEUEFULL      // PutNowait on a full queue
	EQUEUESHUTDOWN  Code = sys.EQUEUESHUTDOWN  // the queue was shut down
	EBROKENBARRIER  Code = sys.EBROKENBARRIER  // the barrier was reset or aborted
	EINCOMPLETEREAD Code = sys.EINCOMPLETEREAD // the stream ended too soon
	ELIMITOVERRUN   Code = sys.ELIMITOVERRUN   // no separator within the limit
	ESTOPITERATION  Code = sys.ESTOPITERATION  // there are no more values
	EWRONGTHREAD    Code = sys.EWRONGTHREAD    // would block the loop it waits for
	ENOTASK         Code = sys.ENOTASK         // needs a task around it
	EGROUP          Code = sys.EGROUP          // several errors: see Children
	ERESOLVE        Code = sys.ERESOLVE        // the name does not resolve
	ENOTOWNER       Code = sys.ENOTOWNER       // release or notify without acquire
	ESHUTDOWN       Code = sys.ESHUTDOWN       // the executor or group is shut down
	EUSER           Code = sys.EUSER           // this and below: the program's own
)

// goError is the code of Go errors that have none; they pass through C whole.
const goError = EUSER - 0x676f

// Name is the code's name in C, as "ALOOP_EINVAL".
func (c Code) Name() string { return sys.Errname(int64(c)) }

// Error is a sentence about the code.
func (c Code) Error() string { return sys.Strerror(int64(c)) }

// Is makes errors.Is find the errors of Go's packages.
func (c Code) Is(target error) bool {
	switch target {
	case context.Canceled:
		return c == ECANCELED
	case context.DeadlineExceeded, os.ErrDeadlineExceeded:
		return c == ETIMEDOUT
	case net.ErrClosed:
		return c == ESTALE
	case io.ErrUnexpectedEOF:
		return c == EINCOMPLETEREAD
	case io.EOF:
		return c == ESTOPITERATION
	}
	return c.ofSystem() && (target == syscall.Errno(-c) || syscall.Errno(-c).Is(target))
}

// ofSystem tells an error number of the system from the library's own codes.
func (c Code) ofSystem() bool { return c < 0 && c > -4096 }

// As makes errors.As find the error number of the system.
func (c Code) As(target interface{}) bool {
	errno, ok := target.(*syscall.Errno)
	if ok = ok && c.ofSystem(); ok {
		*errno = syscall.Errno(-c)
	}
	return ok
}

// Timeout and Temporary make the code a net.Error.
func (c Code) Timeout() bool   { return c == ETIMEDOUT }
func (c Code) Temporary() bool { return c == ETIMEDOUT }

// Error is a failure with its detail.
type Error struct {
	Code     Code
	Message  string
	Where    string // "file:line in function" in C, or ""
	Cause    error
	Children []error // of an EGROUP
}

// NewError makes an error of the program: EUSER-number and a text.
func NewError(number int, message string) *Error {
	return &Error{Code: EUSER - Code(number), Message: message}
}

func (e *Error) Error() string {
	if e.Message == "" {
		return e.Code.Error()
	}
	return e.Message
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is compares the code, and looks into the children.
func (e *Error) Is(target error) bool {
	if code, ok := target.(Code); ok && code == e.Code || e.Code.Is(target) {
		return true
	}
	for _, child := range e.Children {
		if errors.Is(child, target) {
			return true
		}
	}
	return false
}

// As looks into the children.
func (e *Error) As(target interface{}) bool {
	if code, ok := target.(*Code); ok {
		*code = e.Code
		return true
	}
	if e.Code.As(target) {
		return true
	}
	for _, child := range e.Children {
		if errors.As(child, target) {
			return true
		}
	}
	return false
}

// Timeout and Temporary make it a net.Error.
func (e *Error) Timeout() bool   { return e.Code.Timeout() }
func (e *Error) Temporary() bool { return e.Code.Temporary() }

// PanicError is what a panic in a task or job becomes for whoever awaits it.
type PanicError struct {
	Value interface{} // what it panicked with
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// CodeOf is the library's code for an error: 0 for nil, EUSER-... for errors
// that are Go's own, and for those that have no code of a failure.
func CodeOf(err error) Code {
	var code Code
	var detail *Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &detail) && detail.Code < 0:
		return detail.Code
	case errors.As(err, &code) && code < 0:
		return code
	case errors.Is(err, context.Canceled):
		return ECANCELED
	case errors.Is(err, context.DeadlineExceeded):
		return ETIMEDOUT
	}
	var errno syscall.Errno
	if errors.As(err, &errno) && errno != 0 {
		return -Code(errno)
	}
	return goError
}

// noNUL is EINVAL where a text has a NUL inside, which C would take for its end.
func noNUL(texts ...string) int64 {
	for _, text := range texts {
		if strings.IndexByte(text, 0) >= 0 {
			return sys.EINVAL
		}
	}
	return 0
}

// fromC makes a Go error of a status and its detail, which is borrowed.
func fromC(status int64, detail uintptr) error {
	if status >= 0 {
		return nil
	}
	if detail == 0 {
		return Code(status)
	}
	if err, ok := sys.Lookup(sys.Error_payload(detail)).(error); ok {
		return err // a Go error that went through C
	}
	found := &Error{
		Code:    Code(status),
		Message: sys.Error_message(detail),
		Where:   sys.Error_where(detail),
	}
	if cause := sys.Error_cause(detail); cause != 0 {
		found.Cause = fromC(sys.Error_code(cause), cause)
	}
	for i := int64(0); i < sys.Error_child_count(detail); i++ {
		child := sys.Error_child(detail, i)
		found.Children = append(found.Children, fromC(sys.Error_code(child), child))
	}
	return found
}

// raise gives the failure of the running task or callback its detail, with the Go
// error inside, and returns the code.
func raise(err error) int64 {
	if err == nil {
		return 0
	}
	code := CodeOf(err)
	if bare, ok := err.(Code); ok && bare < 0 {
		return int64(bare)
	}
	return sys.Raise_payload(int64(code), err.Error(), sys.Register(err), sys.ReleaseFn)
}

// toC makes an error object of C, a reference, that carries err.
func toC(err error) uintptr {
	id := sys.Register(err)
	detail := sys.Error_new_payload(int64(CodeOf(err)), err.Error(), id, sys.ReleaseFn)
	if detail == 0 {
		sys.Release(id)
	}
	return detail
}
