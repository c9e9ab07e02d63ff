// Package runner turns a Config into a run directory: it prepares the pictures,
// measures the device, trains the supernet, searches, and finishes winners.
//
// The truth of a run is run.db; every file beside it is written whole or not at
// all. The same call on the same directory continues where the last one
// stopped, however it stopped, and ends with the same front.json, byte for byte.
package runner
