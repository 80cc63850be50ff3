// Package sys is the C API of libasyncloop as SWIG wraps it: names without their
// aloop_, objects and functions as integers. Package asyncloop is the one to use.
package sys

// #cgo pkg-config: asyncloop
import "C"
