// Package evolve searches any kind of genome for the front of several
// objectives, all minimised.
//
// Run is NSGA-II (Deb, Pratap, Agarwal, Meyarivan, IEEE Transactions on
// Evolutionary Computation 6(2), 2002) with constrained domination, in steady
// state: one child enters at a time, and the member of the last rank that
// crowds the others most leaves. Staged is Run with other operators in each of
// its parts. Local, Regularised and Random are baselines in the same harness, so
// that equal numbers of evaluations compare; internal/stat says how surely.
//
// # The fixed lag
//
// Child i is bred from the results of children 0 to i-Lag and from nothing
// else. Results are committed in launch order, whichever worker is done first,
// and the random numbers of child i are a stream of their own, keyed by the
// seed and i. So the same seed gives the same outcome, byte for byte, with any
// number of workers and any timing. A journal of committed entries is enough to
// resume: Run breeds the known children again, checks that they are the same by
// their keys, takes their results from the journal and goes on.
//
// # What eaopt does here, and what it does not
//
// The state of a search is an eaopt Population: its Individuals are the
// survivors, Individual.Fitness is the crowded comparison as one number, and
// Population.RNG is the stream of the child that is being bred. A search method
// is two eaopt Models over that Population, one that lets members survive and
// one that appends a child. Operators are called through eaopt's Genome.
//
// Four parts of eaopt v0.4.2 are left alone. GA.Minimize waits for every
// evaluation of a generation, evaluates one genome a call, and cannot start
// from a stored state; the harness calls Model.Apply itself. Individual.Crossover
// receives its mate by value and so leaves the mate marked as evaluated with a
// fitness of other genes; the Genome's own Crossover is called on a clone.
// SelTournament returns an index that does not belong to the individual that it
// selected; mating draws its own tournaments. NewIndividual and Individual.Clone
// spend random numbers on a name; an Individual's ID here is the child's index.
//
// Every function of a Problem but Evaluate is called from the goroutine that
// called Run.
package evolve
