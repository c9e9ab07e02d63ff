package kernel

// Sets lists the Sets that run on this processor, the fastest first.
func Sets() []*Set { return []*Set{scalar} }

// Best is the fastest Set that runs on this processor.
func Best() *Set { return Sets()[0] }
