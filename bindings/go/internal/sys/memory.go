package sys

// #include <stdlib.h>
// #include <asyncloop.h>
//
// static void call_free(uintptr_t fn, uintptr_t value) {
//     ((aloop_free_fn)fn)((void *)value);
// }
import "C"

import "unsafe"

// Completion mirrors aloop_completion (asyncloop.i checks its size).
type Completion struct {
	Token  uint64
	Status int64
	Value  uintptr
	FreeFn uintptr
	Error  uintptr
}

// Poll is Loop_poll into Go memory, which holds no Go pointers.
func Poll(loop uintptr, records []Completion, timeout float64) int64 {
	return int64(C.aloop_loop_poll((*C.aloop_loop)(unsafe.Pointer(loop)),
		(*C.aloop_completion)(unsafe.Pointer(&records[0])), C.int64_t(len(records)),
		C.double(timeout)))
}

// FreeValue calls the destructor that came with a value.
func FreeValue(value, freeFn uintptr) {
	if freeFn != 0 {
		C.call_free((C.uintptr_t)(freeFn), (C.uintptr_t)(value))
	}
}

// BytesOf copies an aloop_bytes.
func BytesOf(bytes uintptr) []byte {
	if bytes == 0 {
		return nil
	}
	data := make([]byte, Bytes_size(bytes)) // C.GoBytes takes no more than an int of C
	CopyBytes(data, bytes)
	return data
}

// CopyBytes copies up to len(to) of an aloop_bytes.
func CopyBytes(to []byte, bytes uintptr) int {
	return CopyMemory(to, Bytes_data(bytes), Bytes_size(bytes))
}

// CopyMemory copies up to len(to) of size bytes of C's.
func CopyMemory(to []byte, from uintptr, size int64) int {
	if size == 0 {
		return 0
	}
	return copy(to, (*[1 << 40]byte)(unsafe.Pointer(from))[:size:size])
}

// NewStrings makes a NULL-terminated array of strings, for FreeStrings.
func NewStrings(texts []string) uintptr {
	size := C.size_t(len(texts)+1) * C.size_t(unsafe.Sizeof(uintptr(0)))
	array := C.malloc(size)
	for i, text := range append(texts[:len(texts):len(texts)], "") {
		at := (**C.char)(unsafe.Pointer(uintptr(array) + uintptr(i)*unsafe.Sizeof(uintptr(0))))
		*at = nil
		if i < len(texts) {
			*at = C.CString(text)
		}
	}
	return uintptr(array)
}

// FreeStrings frees what NewStrings made.
func FreeStrings(array uintptr) {
	for i := uintptr(0); ; i++ {
		at := *(**C.char)(unsafe.Pointer(array + i*unsafe.Sizeof(uintptr(0))))
		if at == nil {
			break
		}
		C.free(unsafe.Pointer(at))
	}
	C.free(unsafe.Pointer(array))
}
