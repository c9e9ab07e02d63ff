package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// processCPU is the processor time of another process so far, 0 when it is gone.
// Linux names the clock of a process by its number (clock_getcpuclockid): all of
// its threads, to the nanosecond, where /proc has ticks of 10 ms.
func processCPU(pid int) time.Duration {
	const scheduler = 2 // of the kinds of clock, the one of time that was run
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduler), &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
