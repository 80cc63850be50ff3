module libasyncloop.org/examples

go 1.19

require libasyncloop.org/asyncloop v0.0.0

replace libasyncloop.org/asyncloop => ../../../bindings/go
