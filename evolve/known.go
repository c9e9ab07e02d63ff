package evolve

import "errors"

// ErrKnown is what Run and Random return when Options.Known cannot be a journal
// of the same search: other options, another problem, or damage.
var ErrKnown = errors.New("evolve: known")
