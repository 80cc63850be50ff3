// A TCP server that sends back what it gets. Ctrl-C ends it.
//
//	echo_server [PORT]    8888 by default; 0: any free one
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"

	"libasyncloop.org/asyncloop"
)

// handleEcho runs as a task of its own for each connection.
func handleEcho(ctx context.Context, conn *asyncloop.Conn) error {
	data := make([]byte, 100)
	n, err := conn.Read(data)
	if err != nil {
		return err
	}
	fmt.Printf("Received '%s' from %s\n", data[:n], conn.RemoteAddr())
	fmt.Printf("Send: '%s'\n", data[:n])
	if err = conn.Send(data[:n]); err != nil {
		return err
	}
	err = conn.Drain(ctx)
	fmt.Println("Close the connection")
	return err
}

func main() {
	port := "8888"
	if len(os.Args) > 1 {
		port = os.Args[1]
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := asyncloop.Run(ctx, func(ctx context.Context) error {
		listener, err := asyncloop.LoopOf(ctx).Listen(ctx, "tcp", "127.0.0.1:"+port)
		if err != nil {
			return err
		}
		fmt.Printf("Serving on %s\n", listener.Addr())
		return listener.Serve(ctx, handleEcho)
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}
