//go:build !linux

package main

import "time"

// processCPU is not known here; neither is what others take (machineCPU).
func processCPU(int) time.Duration { return 0 }
