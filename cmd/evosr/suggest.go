package main

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"evosr/internal/spell"
)

var unknownCommand = regexp.MustCompile(`(?s)^unknown command "(.*?)" for "`)

// suggested adds to what is wrong with a command line what was probably meant.
func suggested(c *cobra.Command, err error) error {
	var words []string
	var name string
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &unknown):
		if name = unknown.GetSpecifiedName(); len(name) < 2 {
			return err // a letter is nothing to guess from
		}
		c.Flags().VisitAll(func(f *pflag.Flag) { words = append(words, f.Name) })
		if w := spell.Likely(name, words); w != "" {
			return fmt.Errorf("%w: did you mean --%s?", err, w)
		}
	default:
		m := unknownCommand.FindStringSubmatch(err.Error())
		if m == nil {
			return err
		}
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				words = append(words, sub.Name())
			}
		}
		text := fmt.Sprintf("unknown command %q", m[1])
		if w := spell.Likely(m[1], words); w != "" {
			text += fmt.Sprintf(": did you mean %s?", w)
		}
		return errors.New(text)
	}
	return err
}

// among says which of some words was probably meant, as the end of a sentence.
func among(name string, words []string) string {
	if w := spell.Likely(name, words); w != "" {
		return fmt.Sprintf(": did you mean %s?", w)
	}
	return ""
}
