// Package rundir owns the run directory: what lies in it under which name, run.db
// with its schema, the cards of the winners, the lock, and the pictures that the
// run's hashes are of.
//
// The truth of a run is run.db; every file beside it is written whole or not at
// all. Open reads a directory, also while a run is going on in it. Who carries a
// run out takes the Lock and writes through a Store.
package rundir
