// Package relay takes a panic from the goroutine in which it happened to the
// one that waits for it. A panic that nobody recovers in its own goroutine ends
// the process with a stack and no chance to say what was lost; relayed, it ends
// at the top of the call, like any other.
package relay

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"
)

// Panic is a panic of another goroutine. As an error it is one line; Stack is
// where it happened.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprint(p.Value) }

// Of makes a Panic of what recover returned; it is to be called by the deferred
// function, for the stack. One that was relayed before stays what it was.
func Of(value any) *Panic {
	if p, ok := value.(*Panic); ok {
		return p
	}
	return &Panic{Value: value, Stack: debug.Stack()}
}

// Catcher keeps the first panic of some goroutines. The zero value is ready, and
// as long as nothing panics it allocates nothing.
type Catcher struct{ first atomic.Pointer[Panic] }

// Catch recovers. It does so only where it is itself what was deferred:
//
//	defer c.Catch()
func (c *Catcher) Catch() {
	if v := recover(); v != nil {
		c.first.CompareAndSwap(nil, Of(v))
	}
}

// Raise panics with the *Panic that was caught, if any. It is called when the
// goroutines have ended their work.
func (c *Catcher) Raise() {
	if p := c.first.Load(); p != nil {
		panic(p)
	}
}
