//go:build man

package main

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"evosr/runner"
)

// extra are the commands of the build that a release makes its man pages with
// (-tags man): only that carries what writes them.
func (a *app) extra() []*cobra.Command { return []*cobra.Command{a.manCmd()} }

func (a *app) manCmd() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Writes the man pages",
		Hidden: true,
		Args:   arguments("DIR"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			root := c.Root()
			root.DisableAutoGenTag = true
			return doc.GenManTree(root, &doc.GenManHeader{Title: "EVOSR", Section: "1", Source: "evosr " + runner.Version, Manual: "evosr"}, args[0])
		},
	}
}
