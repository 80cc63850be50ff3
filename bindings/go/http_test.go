package asyncloop

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
)

// Go's own HTTP server and client run on the loop's listener and connections.
func TestHTTP(t *testing.T) {
	loop := startLoop(t)
	listener, err := loop.Listen(background, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "you asked for %s", r.URL.Path)
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	client := &http.Client{Transport: &http.Transport{DialContext: loop.DialContext}}
	var wg sync.WaitGroup
	for i := 0; i < 20; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			answer, err := client.Get(fmt.Sprintf("http://%s/%d", listener.Addr(), i))
			if err != nil {
				t.Error(err)
				return
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			if string(body) != fmt.Sprintf("you asked for /%d", i) || err != nil {
				t.Errorf("%q %v", body, err)
			}
		}(i)
	}
	wg.Wait()
	client.CloseIdleConnections()
	server.Close()
	if err := <-served; err != http.ErrServerClosed {
		t.Error(err)
	}
}
