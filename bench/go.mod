module evosr/bench

go 1.26.0

replace evosr => ../

require (
	evosr v0.0.0
	github.com/yalue/onnxruntime_go v1.27.0
	golang.org/x/sys v0.47.0
)

require (
	golang.org/x/image v0.45.0 // indirect
	gonum.org/v1/gonum v0.11.0 // indirect
	google.golang.org/protobuf v1.36.11 // indirect
)
