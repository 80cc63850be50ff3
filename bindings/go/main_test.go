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

func nothingLeft() int {
	var left []string
	for i := 0; i < 200; i++ {
		runtime.GC() // finalizers run in their own time
		time.Sleep(5 * time.Millisecond)
		left = nil
		for name, n := range Stats() {
			if n != 0 {
				left = append(left, fmt.Sprintf("%s: %d", name, n))
			}
		}
		if len(left) == 0 {
			return 0
		}
	}
	fmt.Println("left behind:", left)
	return 1
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
