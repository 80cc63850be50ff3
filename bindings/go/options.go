package asyncloop

import (
	"fmt"
	"os"
	"time"

	"libasyncloop.org/asyncloop/internal/sys"
)

// An Option changes how Start makes a loop, which fails with EINVAL where a value is
// out of range.
type Option func(*settings)

type settings struct {
	setters []func(options uintptr) int64
	onPanic func(*PanicError)
	onError func(Unhandled)
}

func setter(set func(options uintptr) int64) Option {
	return func(s *settings) { s.setters = append(s.setters, set) }
}

// make gives the options, to be freed, and the status of the first that is refused.
func (s *settings) make() (options uintptr, status int64) {
	options = sys.Loop_options_new()
	for _, set := range s.setters {
		if status = set(options); status < 0 {
			break
		}
	}
	return options, status
}

func flag(on bool) int32 {
	if on {
		return 1
	}
	return 0
}

// VirtualClock makes the loop's time stand still while something runs, and jump
// to the next timer when all wait: for tests of tasks, which then take no time.
func VirtualClock() Option {
	return setter(func(o uintptr) int64 { return sys.Loop_options_set_clock(o, sys.CLOCK_VIRTUAL) })
}

// Debug switches asyncio's debug mode on or off.
func Debug(on bool) Option {
	return setter(func(o uintptr) int64 { return sys.Loop_options_set_debug(o, flag(on)) })
}

// Shuffled runs what is ready at one time in an order drawn from seed.
func Shuffled(seed uint64) Option {
	return setter(func(o uintptr) int64 { return sys.Loop_options_set_seed(o, seed) })
}

// Simulated gives the loop a simulated network on the virtual clock, in which what
// is sent takes up to mostDelay seconds: the same seed is the same run.
func Simulated(seed uint64, mostDelay float64) Option {
	return setter(func(o uintptr) int64 {
		return sys.Loop_options_set_simulator(o, seed, mostDelay)
	})
}

// SimulatedLoss has a Simulated network lose that share of its datagrams, 0 to 1.
func SimulatedLoss(share float64) Option {
	return setter(func(o uintptr) int64 { return sys.Loop_options_set_simulated_loss(o, share) })
}

// EagerTasks starts tasks at once, up to their first await.
func EagerTasks(on bool) Option {
	return setter(func(o uintptr) int64 { return sys.Loop_options_set_eager_tasks(o, flag(on)) })
}

// BusyPoll has the loop look for work for up to that long before it sleeps, at most
// a second: what comes meanwhile is served earlier, for the processor's time.
func BusyPoll(most time.Duration) Option {
	return setter(func(o uintptr) int64 {
		return sys.Loop_options_set_busy_poll(o, most.Seconds())
	})
}

// OnPanic gets what callbacks panic with, on the loop's thread. Without it a panic
// ends the loop, and Close returns it. In a task runtime.Goexit, as FailNow of a test calls
// it, is a PanicError, too; in a callback or a job it ends the program.
func OnPanic(fn func(*PanicError)) Option {
	return func(s *settings) { s.onPanic = fn }
}

// Unhandled is an error that nobody handles: of a task that nobody awaits, say.
type Unhandled struct {
	Message string
	Err     error
	Source  string // where the object was made, in debug mode
}

// OnUnhandled gets them, one at a time: on the loop's thread, and once the loop has ended
// on a goroutine of its own. Without it they are written to standard error.
func OnUnhandled(fn func(Unhandled)) Option {
	return func(s *settings) { s.onError = fn }
}

// report is for errors that Go alone knows of; from any goroutine.
func (l *Loop) report(message string, err error) {
	if l.Post(func() {
		detail := toC(err)
		sys.Loop_call_exception_handler(l.p, message, detail)
		sys.Unref(detail)
	}) == nil {
		return
	}
	if l.onError != nil { // the loop has ended, and finalizers must not be held up
		go func() {
			<-l.finish
			l.reporting.Lock()
			defer l.reporting.Unlock()
			l.onError(Unhandled{Message: message, Err: err})
		}()
		return
	}
	fmt.Fprintf(os.Stderr, "%s\n%v\n", message, err)
}

func (l *Loop) unhandled(context uintptr) {
	if l.onError == nil {
		sys.Loop_default_exception_handler(l.p, context)
		return
	}
	what := Unhandled{
		Message: sys.Exception_context_message(context),
		Err: fromC(sys.Exception_context_code(context),
			sys.Exception_context_error(context)),
		Source: sys.Exception_context_source(context),
	}
	l.guarded(func() { l.onError(what) })
}

// Version is the version of the library at run time.
func Version() string { return sys.Version_string() }
