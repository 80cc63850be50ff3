package sys

import "sync"

// The registry gives Go values numbers, since C must not hold Go pointers. A
// number is odd, so that it is never taken for an object of C, never 0, and has
// a generation, so that a stale one finds nothing. One mutex: some 20 ns a call.
var registry struct {
	sync.Mutex
	values     []interface{}
	generation []uint32
	free       []uint32
}

// Register stores value until Release; what C gets is the number.
func Register(value interface{}) uintptr {
	registry.Lock()
	defer registry.Unlock()
	var index uint32
	if n := len(registry.free); n > 0 {
		index = registry.free[n-1]
		registry.free = registry.free[:n-1]
	} else {
		index = uint32(len(registry.values))
		registry.values = append(registry.values, nil)
		registry.generation = append(registry.generation, 0)
	}
	registry.values[index] = value
	return uintptr(registry.generation[index])<<32 | uintptr(index)<<1 | 1
}

// find returns where the value of id stands, or -1.
func find(id uintptr) int {
	index := int(uint32(id) >> 1)
	if id&1 == 0 || index >= len(registry.values) ||
		registry.generation[index] != uint32(id>>32) {
		return -1
	}
	return index
}

// Lookup returns the value of id, nil if there is none (any more).
func Lookup(id uintptr) interface{} {
	registry.Lock()
	defer registry.Unlock()
	if index := find(id); index >= 0 {
		return registry.values[index]
	}
	return nil
}

// Release forgets the value of id, and returns it.
func Release(id uintptr) interface{} {
	registry.Lock()
	defer registry.Unlock()
	index := find(id)
	if index < 0 {
		return nil
	}
	value := registry.values[index]
	registry.values[index] = nil
	registry.generation[index]++
	registry.free = append(registry.free, uint32(index))
	return value
}

// Registered tells how many values there are.
func Registered() int {
	registry.Lock()
	defer registry.Unlock()
	return len(registry.values) - len(registry.free)
}
