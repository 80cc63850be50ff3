package asyncloop

import (
	"context"
	"os"
	"syscall"

	"libasyncloop.org/asyncloop/internal/sys"
)

// A Command is a program to be run, and how. asyncio's create_subprocess_exec.
type Command struct {
	Path    string // looked for in PATH unless it has a '/'
	Args    []string
	Shell   bool     // Path is a command line for /bin/sh
	Env     []string // "NAME=value"; nil: this process's
	Dir     string
	Stdin   Redirect
	Stdout  Redirect
	Stderr  Redirect
	Session bool // a session of its own

	OutputLimit int // the most bytes that Communicate reads of each output; 0: no bound
	ReadLimit   int // the most that ReadLine and ReadUntil of its pipes look through; 0: 65536

	ExtraFiles   []*os.File // entry i is its descriptor 3+i, as in os/exec; all others are closed
	ProcessGroup *int       // 0: a group of its own, else the one to join; nil: this process's
	User, Group  *uint32    // ids; nil: this process's. Group drops the supplementary groups
	Umask        *int       // its file mode mask; nil: this process's
	Limits       []Rlimit   // up to 16
}

// Rlimit bounds a resource of a child: syscall.RLIMIT_NOFILE and the like.
type Rlimit struct {
	Resource int
	syscall.Rlimit
}

// Redirect is what a child's standard stream is.
type Redirect int32

const (
	Inherit  Redirect = 0                // this process's
	Pipe     Redirect = sys.PIPE         // a Conn of the Process
	Devnull  Redirect = sys.DEVNULL      // nothing
	ToStdout Redirect = sys.STDOUT - 100 // of Stderr: where stdout goes
)

func (r Redirect) what() int32 {
	switch r {
	case Inherit:
		return sys.INHERIT
	case ToStdout:
		return sys.STDOUT
	}
	return int32(r)
}

// A Process is a child. It runs on when this is collected; the loop reaps it, and kills
// those that are left when it ends.
type Process struct {
	o                     *object
	Pid                   int
	Stdin, Stdout, Stderr *Conn // nil unless it is a Pipe
}

// StartProcess starts command.
func (l *Loop) StartProcess(ctx context.Context, command Command) (*Process, error) {
	return Op[*Process]{
		loop:  l,
		begin: command.begin,
		outcome: func(_ int64, value uintptr, err error) (*Process, error) {
			if err != nil {
				return nil, err
			}
			return newProcess(l, value), nil
		},
	}.Await(ctx)
}

func (c *Command) begin() (uintptr, int64) {
	if status := refused(noNUL(c.Path, c.Dir), noNUL(c.Args...), noNUL(c.Env...)); status < 0 {
		return 0, status
	}
	options := sys.Process_options_new()
	defer sys.Unref(options)
	for _, set := range []func(uintptr) int64{c.streams, c.surroundings, c.rights} {
		if status := set(options); status < 0 {
			return 0, status
		}
	}
	if c.Shell {
		return sys.Create_subprocess_shell(c.Path, options), sys.ENOMEM
	}
	argv := sys.NewStrings(append([]string{c.Path}, c.Args...))
	defer sys.FreeStrings(argv)
	return sys.Create_subprocess_exec(argv, options), sys.ENOMEM
}

// refused gives the status of the first that is.
func refused(statuses ...int64) int64 {
	for _, status := range statuses {
		if status < 0 {
			return status
		}
	}
	return 0
}

func (c *Command) streams(options uintptr) int64 {
	status := refused(sys.Process_options_set_stdin(options, c.Stdin.what()),
		sys.Process_options_set_stdout(options, c.Stdout.what()),
		sys.Process_options_set_stderr(options, c.Stderr.what()))
	if c.OutputLimit != 0 {
		status = refused(status,
			sys.Process_options_set_output_limit(options, int64(c.OutputLimit)))
	}
	if c.ReadLimit != 0 {
		status = refused(status, sys.Process_options_set_limit(options, int64(c.ReadLimit)))
	}
	for i, file := range c.ExtraFiles {
		if file != nil {
			status = refused(status,
				sys.Process_options_add_fd(options, int32(file.Fd()), int32(3+i)))
		}
	}
	return status
}

func (c *Command) surroundings(options uintptr) (status int64) {
	if c.Dir != "" {
		status = sys.Process_options_set_cwd(options, c.Dir)
	}
	if c.Env != nil {
		env := sys.NewStrings(c.Env)
		defer sys.FreeStrings(env)
		status = refused(status, sys.Process_options_set_env(options, env))
	}
	return status
}

func (c *Command) rights(options uintptr) int64 {
	status := sys.Process_options_set_new_session(options, flag(c.Session))
	if c.ProcessGroup != nil {
		status = refused(status,
			sys.Process_options_set_process_group(options, int32(*c.ProcessGroup)))
	}
	if c.User != nil {
		status = refused(status, sys.Process_options_set_user(options, *c.User))
	}
	if c.Group != nil {
		status = refused(status, sys.Process_options_set_group(options, *c.Group))
	}
	if c.Umask != nil {
		status = refused(status, sys.Process_options_set_umask(options, int32(*c.Umask)))
	}
	for _, limit := range c.Limits {
		status = refused(status, sys.Process_options_add_rlimit(options, int32(limit.Resource),
			limit.Cur, limit.Max))
	}
	return status
}

func newProcess(loop *Loop, p uintptr) *Process {
	child := &Process{
		o:   newObject(loop, func(to *uintptr) int64 { *to = p; return 0 }),
		Pid: int(sys.Process_pid(p)),
	}
	pipe := func(stream uintptr) *Conn {
		if stream == 0 {
			return nil
		}
		return newConn(loop, sys.Ref(stream))
	}
	child.Stdin = pipe(sys.Process_stdin(p))
	child.Stdout = pipe(sys.Process_stdout(p))
	child.Stderr = pipe(sys.Process_stderr(p))
	return child
}

// Exit is how a child ended.
type Exit struct {
	Code   int            // its exit code
	Signal syscall.Signal // the signal that killed it, or 0
}

func exitOf(status int64) Exit {
	if status >= sys.SIGNALED {
		return Exit{Code: -1, Signal: syscall.Signal(status - sys.SIGNALED)}
	}
	return Exit{Code: int(status)}
}

// Waiting waits for the end of the child.
func (p *Process) Waiting() Op[Exit] {
	return opOf(p.o, sys.Process_wait, func(status int64, _ uintptr, err error) (Exit, error) {
		if err != nil {
			return Exit{}, err
		}
		return exitOf(status), nil
	})
}

// Wait is Waiting, awaited.
func (p *Process) Wait(ctx context.Context) (Exit, error) { return p.Waiting().Await(ctx) }

// Communicate sends input to the child's stdin and closes that, reads its stdout
// and stderr to their ends, and waits for it.
func (p *Process) Communicate(ctx context.Context, input []byte) (stdout, stderr []byte,
	exit Exit, err error) {
	exit, err = opOf(p.o,
		func(c uintptr) uintptr { return sys.Process_communicate(c, input) },
		func(status int64, results uintptr, err error) (Exit, error) {
			if err != nil {
				return Exit{}, err
			}
			for i, to := range []*[]byte{&stdout, &stderr} {
				value := sys.Results_take(results, int64(i))
				*to = sys.BytesOf(value)
				sys.Unref(value)
			}
			sys.Results_unref(results)
			return exitOf(status), nil
		}).Await(ctx)
	return stdout, stderr, exit, err
}

// Returncode is how it ended; false while it runs.
func (p *Process) Returncode() (Exit, bool) {
	var code int32
	if !p.o.is(func(c uintptr) int64 {
		var found int32
		status := sys.Process_returncode(c, &found)
		code = found
		return status
	}) {
		return Exit{}, false
	}
	if code < 0 {
		return Exit{Code: -1, Signal: syscall.Signal(-code)}, true
	}
	return Exit{Code: int(code)}, true
}

// Signal sends a signal; syscall.ESRCH once it has ended.
func (p *Process) Signal(signal os.Signal) error {
	number, ok := signal.(syscall.Signal)
	if !ok {
		return EINVAL
	}
	return p.o.just(func(c uintptr) int64 { return sys.Process_send_signal(c, int32(number)) })
}

// Terminate sends SIGTERM, Kill SIGKILL.
func (p *Process) Terminate() error { return p.o.just(sys.Process_terminate) }
func (p *Process) Kill() error      { return p.o.just(sys.Process_kill) }

// SignalGroup signals its whole process group, if it has one of its own.
func (p *Process) SignalGroup(signal syscall.Signal) error {
	return p.o.just(func(c uintptr) int64 { return sys.Process_signal_group(c, int32(signal)) })
}
