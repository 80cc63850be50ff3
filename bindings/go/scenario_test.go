package asyncloop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The scenarios that every language runs: tests/scenarios/README.md has their
// language. Here each task is a Task. What is awaited stands in
// scenario_awaitables_test.go, what is done at once in scenario_actions_test.go.

type scenario struct {
	name     string
	programs map[string][]string
	expected []string
}

func readScenarios(t *testing.T) []*scenario {
	text, err := os.ReadFile("../../tests/scenarios/scenarios.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []*scenario
	var one *scenario
	program := ""
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0][0] == '#':
		case line[0] == ' ' && program == "":
			one.expected = append(one.expected, strings.TrimSpace(line))
		case line[0] == ' ':
			one.programs[program] = append(one.programs[program], strings.TrimSpace(line))
		case words[0] == "scenario":
			one = &scenario{name: words[1], programs: map[string][]string{}}
			all = append(all, one)
		case words[0] == "task":
			program = words[1]
			one.programs[program] = nil
		case words[0] == "expect":
			program = ""
		}
	}
	return all
}

// world is what the tasks of a scenario share. They run one at a time.
type world struct {
	*scenario
	loop    *Loop
	tasks   map[string]*Task[int64]
	objects map[string]interface{}
	trace   []string
	ended   bool
}

func (w *world) leave(format string, args ...interface{}) {
	if !w.ended {
		w.trace = append(w.trace, fmt.Sprintf("%.1f ", w.loop.Time())+fmt.Sprintf(format, args...))
	}
}

// run is a task at work.
type run struct {
	*world
	name     string
	lines    []string
	at       int
	returned bool
	result   int64
	group    *Group
}

func outcomeText(value interface{}, err error) string {
	var detail *Error
	switch {
	case errors.As(err, &detail) && detail.Code == EGROUP:
		var children []string
		for _, child := range detail.Children {
			children = append(children, outcomeText(nil, child))
		}
		return "ALOOP_EGROUP [" + strings.Join(children, ", ") + "]"
	case err != nil && CodeOf(err) <= EUSER:
		return fmt.Sprintf("error %d (%s)", EUSER-CodeOf(err), err)
	case err != nil:
		return CodeOf(err).Name()
	}
	switch value := value.(type) {
	case nil, struct{}:
		return "0"
	case bool:
		if value {
			return "1"
		}
		return "0"
	case []byte:
		return `"` + strings.SplitN(string(value), "\n", 2)[0] + `"`
	}
	return fmt.Sprint(value)
}

func (w *world) program(name string) func(ctx context.Context) (int64, error) {
	return func(ctx context.Context) (int64, error) {
		r := &run{world: w, name: name, lines: w.programs[name]}
		err := r.block(ctx)
		r.leave("%s = %s", name, outcomeText(r.result, err))
		w.ended = w.ended || name == "main"
		return r.result, err
	}
}

// task gives the task of that name, and starts it if there is none.
func (w *world) task(ctx context.Context, name string) *Task[int64] {
	if w.tasks[name] == nil {
		w.tasks[name] = Go(ctx, w.loop, w.program(name))
	}
	return w.tasks[name]
}

func beginsBlock(line string) bool {
	line = strings.TrimPrefix(line, "! ")
	return line == "group" || strings.HasPrefix(line, "timeout ")
}

func (r *run) skipBlock(from int) {
	r.at = from
	for depth := 1; depth > 0; r.at++ {
		if beginsBlock(r.lines[r.at]) {
			depth++
		} else if r.lines[r.at] == "end" {
			depth--
		}
	}
}

func (r *run) block(ctx context.Context) error {
	for r.at < len(r.lines) && !r.returned {
		line := r.lines[r.at]
		r.at++
		if line == "end" {
			break
		}
		text := strings.TrimPrefix(line, "! ")
		value, err := r.instruction(ctx, strings.Fields(text))
		if text != line {
			r.leave("%s %s -> %s", r.name, text, outcomeText(value, err))
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (r *run) instruction(ctx context.Context, words []string) (interface{}, error) {
	from := r.at
	switch words[0] {
	case "timeout":
		err := Timeout(ctx, seconds(words[1]), r.block)
		r.skipBlock(from)
		return nil, err
	case "group":
		outer := r.group
		err := WithGroup(ctx, func(ctx context.Context, g *Group) error {
			r.group = g
			return r.block(ctx)
		})
		r.group = outer
		r.skipBlock(from)
		return nil, err
	}
	if op := r.awaitable(ctx, words); op != nil {
		return op.Await(ctx)
	}
	return r.atOnce(ctx, words)
}

func seconds(text string) time.Duration {
	n, _ := strconv.ParseFloat(text, 64)
	return time.Duration(n * float64(time.Second))
}

func integer(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

func TestScenarios(t *testing.T) {
	all := readScenarios(t)
	if len(all) < 100 {
		t.Fatalf("only %d scenarios", len(all))
	}
	for _, one := range all {
		one := one
		t.Run(one.name, func(t *testing.T) {
			loop, err := Start(context.Background(), VirtualClock(),
				OnUnhandled(func(Unhandled) {}))
			if err != nil {
				t.Fatal(err)
			}
			w := &world{scenario: one, loop: loop, tasks: map[string]*Task[int64]{},
				objects: map[string]interface{}{}}
			ctx := context.Background()
			_, _ = Go(ctx, loop, w.program("main")).Await(ctx)
			if err := loop.Close(); err != nil {
				t.Error(err)
			}
			left, expected := strings.Join(w.trace, "\n"), strings.Join(one.expected, "\n")
			if left != expected {
				t.Errorf("it left\n%s\nexpected\n%s", left, expected)
			}
		})
	}
}
