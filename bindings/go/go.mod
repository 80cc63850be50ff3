module libasyncloop.org/asyncloop

go 1.19
