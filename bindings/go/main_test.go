package asyncloop

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// After all tests nothing is left: no object of the library, no Go value in it.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		code = nothingLeft()
	}
	os.Exit(code)
}

// hang is when a test gives up. Nothing that works takes this long, however busy the
// machine is.
const hang = 5 * time.Minute

func nothingLeft() int {
	left := leftBehind()
	if left != nil {
		fmt.Println("left behind:", left)
		return 1
	}
	return 0
}

// leftBehind waits until nothing is left, and tells what still is where that does not come.
func leftBehind() (left []string) {
	for end := time.Now().Add(hang); time.Now().Before(end); {
		runtime.GC() // finalizers run in their own time
		time.Sleep(5 * time.Millisecond)
		left = nil
		for name, n := range Stats() {
			if n != 0 {
				left = append(left, fmt.Sprintf("%s: %d", name, n))
			}
		}
		if left == nil {
			break
		}
	}
	return left
}

func startLoop(t testing.TB, options ...Option) *Loop {
	t.Helper()
	loop, err := Start(context.Background(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := loop.Close(); err != nil {
			t.Error(err)
		}
	})
	return loop
}
