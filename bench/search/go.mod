module evosr/bench/search

go 1.26.0

replace evosr => ../../

require (
	evosr v0.0.0
	github.com/MaxHalford/eaopt v0.4.2
)

require golang.org/x/sync v0.24.0 // indirect
