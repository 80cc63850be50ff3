// Package sys is the C API of libasyncloop as SWIG wraps it: names without their
// aloop_, objects, functions and user data as integers. Package asyncloop is the
// one to use.
//
// What is written by hand here is what crosses the border besides calls: Go values
// that C holds as user data (registry.go), the functions that C calls back
// (callbacks.go), and the memory that it keeps (memory.go).
package sys

// #cgo pkg-config: asyncloop
import "C"
