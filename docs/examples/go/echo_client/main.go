// Sends a line to echo_server and prints what comes back.
//
//	echo_client [MESSAGE [PORT]]
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"libasyncloop.org/asyncloop"
)

func tcpEchoClient(ctx context.Context, message, port string) error {
	conn, err := asyncloop.LoopOf(ctx).Dial(ctx, "tcp", "127.0.0.1:"+port)
	if err != nil {
		return err
	}
	defer conn.Close()
	fmt.Printf("Send: '%s'\n", message)
	if _, err = conn.Write([]byte(message)); err != nil {
		return err
	}
	data := make([]byte, 100)
	n, err := conn.Read(data)
	if err != nil {
		return err
	}
	fmt.Printf("Received: '%s'\n", data[:n])
	fmt.Println("Close the connection")
	return nil
}

func main() {
	message, port := "Hello World!", "8888"
	if len(os.Args) > 1 {
		message = os.Args[1]
	}
	if len(os.Args) > 2 {
		port = os.Args[2]
	}
	err := asyncloop.Run(context.Background(), func(ctx context.Context) error {
		return tcpEchoClient(ctx, message, port)
	})
	if err != nil {
		log.Fatal(err)
	}
}
