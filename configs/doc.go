// Package configs reads what a user writes: the config of a run and device
// profiles, as strict YAML. All faults of a file are reported at once, each
// with its line and column.
package configs
