module libasyncloop.org/asyncloop/conformance

go 1.19

require (
	golang.org/x/net v0.0.0
	libasyncloop.org/asyncloop v0.0.0
)

replace (
	golang.org/x/net => /usr/share/gocode/src/golang.org/x/net
	libasyncloop.org/asyncloop => ../
)
