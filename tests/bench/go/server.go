// A goroutine a connection, package net. TLS by crypto/tls.
//
// SPDX-License-Identifier: MIT
package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
)

func echo(conn net.Conn) {
	defer conn.Close()
	buffer := make([]byte, 16384)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		if _, err = conn.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func main() {
	mode := os.Args[1]
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	check(err)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	if mode == "tls" {
		certificate, err := tls.LoadX509KeyPair(os.Args[2], os.Args[3])
		check(err)
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate}})
	}
	for {
		conn, err := listener.Accept()
		check(err)
		if mode == "accept" {
			conn.Close()
		} else {
			go echo(conn)
		}
	}
}
