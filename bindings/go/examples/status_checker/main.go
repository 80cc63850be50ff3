// Checks web sites, all at once: for each URL the status line that the server
// answers with, or what went wrong, in the order given.
//
//	status_checker [-timeout 5s] http://example.org http://example.net/page ...
//
// Without URLs it starts servers of its own, good ones and bad ones, and checks
// those.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"libasyncloop.org/asyncloop"
)

var timeout = flag.Duration("timeout", 1500*time.Millisecond, "for each check")

// check asks one site for its page; the first line of the answer.
func check(ctx context.Context, site string) (string, error) {
	where, err := url.Parse(site)
	if err != nil || where.Scheme != "http" {
		return "", errors.New("not a URL that begins with http://")
	}
	address := where.Host
	if where.Port() == "" {
		address = net.JoinHostPort(where.Hostname(), "80")
	}
	var line []byte
	err = asyncloop.Timeout(ctx, *timeout, func(ctx context.Context) error {
		conn, err := asyncloop.LoopOf(ctx).Dial(ctx, "tcp", address)
		if err != nil {
			return err
		}
		defer conn.Close()
		path := where.RequestURI()
		request := fmt.Sprintf("GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path, where.Host)
		if err = conn.Send([]byte(request)); err != nil {
			return err
		}
		line, err = conn.ReadLine(ctx)
		return err
	})
	if err == nil && !strings.HasPrefix(string(line), "HTTP/") {
		err = errors.New("the answer is not HTTP")
	}
	return strings.TrimSpace(string(line)), err
}

func run(ctx context.Context, sites []string) error {
	loop := asyncloop.LoopOf(ctx)
	if len(sites) == 0 {
		var err error
		if sites, err = serveSamples(ctx); err != nil {
			return err
		}
	}
	checks := make([]asyncloop.Awaitable[string], len(sites))
	for i, site := range sites {
		site := site
		checks[i] = asyncloop.Go(ctx, loop, func(ctx context.Context) (string, error) {
			return check(ctx, site)
		})
	}
	results, err := asyncloop.GatherAll(checks...).Await(ctx)
	for i, result := range results {
		what := result.Value
		if errors.Is(result.Err, context.DeadlineExceeded) {
			what = "no answer in time"
		} else if result.Err != nil {
			what = "failed: " + result.Err.Error()
		}
		fmt.Printf("%-32s %s\n", sites[i], what)
	}
	return err
}

// serveSamples starts servers and gives their URLs; the last one's is closed.
func serveSamples(ctx context.Context) ([]string, error) {
	answers := []string{
		"HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.0 404 Not Found\r\n\r\n", "what?\r\n", "", "-",
	}
	var sites []string
	for _, answer := range answers {
		answer := answer
		listener, err := asyncloop.LoopOf(ctx).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		sites = append(sites, "http://"+listener.Addr().String()+"/")
		if answer == "-" {
			listener.Close()
			continue
		}
		serve := func(ctx context.Context, conn *asyncloop.Conn) error {
			if _, err := conn.ReadUntil(ctx, []byte("\r\n\r\n")); err != nil {
				return err
			}
			if answer == "" {
				return asyncloop.Sleep(ctx, time.Hour)
			}
			return conn.Send([]byte(answer))
		}
		asyncloop.Go(ctx, asyncloop.LoopOf(ctx), func(ctx context.Context) (struct{}, error) {
			return struct{}{}, listener.Serve(ctx, serve)
		})
	}
	return sites, nil
}

func main() {
	flag.Parse()
	err := asyncloop.Run(context.Background(), func(ctx context.Context) error {
		return run(ctx, flag.Args())
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
