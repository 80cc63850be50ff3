package sys

// #include <stdint.h>
// uintptr_t go_callback_fn(void);
// uintptr_t go_done_fn(void);
// uintptr_t go_step_fn(void);
// uintptr_t go_exception_fn(void);
// uintptr_t go_compare_fn(void);
// uintptr_t go_job_fn(void);
// uintptr_t go_release_fn(void);
import "C"

import (
	"fmt"
	"os"
	"runtime/debug"
)

// What C is given as the function; the user data beside it is a registered value
// of the type that stands behind it.
var (
	CallbackFn  = uintptr(C.go_callback_fn())  // func() int64
	DoneFn      = uintptr(C.go_done_fn())      // func(future uintptr) int64
	StepFn      = uintptr(C.go_step_fn())      // Stepper
	ExceptionFn = uintptr(C.go_exception_fn()) // func(context uintptr)
	CompareFn   = uintptr(C.go_compare_fn())   // func(a, b interface{}) int64
	JobFn       = uintptr(C.go_job_fn())       // func() int64
	ReleaseFn   = uintptr(C.go_release_fn())   // anything: releases it
)

// Stepper is the frame of a step task.
type Stepper interface {
	Step(task uintptr) int64
}

// Releaser is told when C lets go of it. No value of a program has such a method.
type Releaser interface {
	ReleasedByC()
}

// guard turns a panic into a failure of the callback, since it must not run through the
// frames of C. The layer above catches those of the program: this one is a fault of its own.
func guard(status *C.int64_t) {
	if value := recover(); value != nil {
		*status = EINVALIDSTATE
		fmt.Fprintf(os.Stderr, "asyncloop: panic in a callback: %v\n%s", value, debug.Stack())
	}
}

//export goCallback
func goCallback(data C.uintptr_t) (status C.int64_t) {
	defer guard(&status)
	return C.int64_t(Lookup(uintptr(data)).(func() int64)())
}

//export goDone
func goDone(future, data C.uintptr_t) (status C.int64_t) {
	defer guard(&status)
	return C.int64_t(Lookup(uintptr(data)).(func(uintptr) int64)(uintptr(future)))
}

//export goStep
func goStep(task, frame C.uintptr_t) (status C.int64_t) {
	defer guard(&status)
	return C.int64_t(Lookup(uintptr(frame)).(Stepper).Step(uintptr(task)))
}

//export goException
func goException(context, data C.uintptr_t) {
	var status C.int64_t
	defer guard(&status)
	Lookup(uintptr(data)).(func(uintptr))(uintptr(context))
}

//export goCompare
func goCompare(a, b, data C.uintptr_t) (status C.int64_t) {
	defer guard(&status)
	compare := Lookup(uintptr(data)).(func(a, b interface{}) int64)
	return C.int64_t(compare(Lookup(uintptr(a)), Lookup(uintptr(b))))
}

//export goJob
func goJob(data C.uintptr_t) (status C.int64_t) {
	defer guard(&status)
	return C.int64_t(Lookup(uintptr(data)).(func() int64)())
}

//export goRelease
func goRelease(data C.uintptr_t) {
	if value, ok := Release(uintptr(data)).(Releaser); ok {
		value.ReleasedByC()
	}
}
