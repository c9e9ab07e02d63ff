// Package runner turns a Config into a run directory: it prepares the pictures,
// measures the device, trains the supernet, searches, and finishes winners.
//
// What it knows of a run it keeps in the directory alone, by rundir. The same call on the same directory continues where the last one
// stopped, however it stopped, and ends with the same front.json, byte for byte.
package runner
