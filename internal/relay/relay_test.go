package relay

import (
	"strings"
	"sync"
	"testing"
)

func explode() { panic("a wall fell down") }

// raised is what Raise panics with.
func raised(c *Catcher) (p *Panic) {
	defer func() { p, _ = recover().(*Panic) }()
	c.Raise()
	return nil
}

func TestCatcher(t *testing.T) {
	var c Catcher
	if p := raised(&c); p != nil {
		t.Fatalf("an empty Catcher raises %v", p)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			defer c.Catch()
			explode()
		})
	}
	wg.Wait()
	p := raised(&c)
	if p == nil || p.Error() != "a wall fell down" || !strings.Contains(string(p.Stack), "relay.explode") {
		t.Fatalf("raised %+v, want the value and the stack of where it happened", p)
	}

	// A second relay keeps the first place.
	var outer Catcher
	func() {
		defer outer.Catch()
		c.Raise()
	}()
	if again := raised(&outer); again != p {
		t.Errorf("relayed again it is %+v, want the same", again)
	}
	var quiet Catcher
	if n := testing.AllocsPerRun(10, func() {
		func() { defer quiet.Catch() }()
		quiet.Raise()
	}); n != 0 {
		t.Errorf("%v allocations without a panic, want none", n)
	}
}
