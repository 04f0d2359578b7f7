package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/iscsiroot/iscsiroot/pkg/manual"
	"github.com/iscsiroot/iscsiroot/pkg/outfile"
)

const manLong = `man shows a page of the manual, through $PAGER or less if standard output is a terminal.
The page can be named with or without iscsiroot- before it. Without PAGE it lists the
pages.`

const manExample = `  iscsiroot man parameters
  iscsiroot man --roff agent | man -l -`

// newMan returns the man command.
func newMan() *cobra.Command {
	var roff bool
	var dir string
	cmd := &cobra.Command{
		Use:     "man [PAGE]",
		Short:   "show the manual",
		Long:    manLong,
		Example: manExample,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pages, err := allPages(cmd.Root())
			switch {
			case err != nil:
				return err
			case dir != "":
				return writePages(cmd.Context(), dir, pages)
			case len(args) == 0:
				_, err = io.WriteString(cmd.OutOrStdout(), listPages(pages))
				return err
			}
			page, err := findPage(pages, args[0])
			if err != nil {
				return err
			}
			if roff {
				_, err = io.WriteString(cmd.OutOrStdout(), page.Roff(version))
				return err
			}
			return showText(cmd, page.Plain())
		},
	}
	cmd.Flags().BoolVar(&roff, "roff", false, "print the page as input for man -l")
	cmd.Flags().StringVar(&dir, "output", "", "write all pages for man below `DIR`, into man7 and man8")
	return cmd
}

// allPages returns the manual: the written pages, and one for each command.
func allPages(root *cobra.Command) ([]manual.Page, error) {
	pages, err := manual.Pages()
	if err != nil {
		return nil, err
	}
	for _, c := range root.Commands() {
		if !c.IsAvailableCommand() || c.Name() == "help" {
			continue
		}
		page, err := manual.Parse(commandPage(c))
		if err != nil {
			return nil, fmt.Errorf("page of %s: %w", c.Name(), err)
		}
		pages = append(pages, page)
	}
	return pages, nil
}

// findPage finds a page by its name: agent, iscsiroot-agent or iscsiroot-agent(8).
func findPage(pages []manual.Page, name string) (manual.Page, error) {
	i := slices.IndexFunc(pages, func(p manual.Page) bool {
		return slices.Contains([]string{p.Name, strings.TrimPrefix(p.Name, "iscsiroot-"), p.Title()}, name)
	})
	if i < 0 {
		return manual.Page{}, fmt.Errorf("man %s: no such page: they are listed by iscsiroot man", name)
	}
	return pages[i], nil
}

// listPages is a line for each page.
func listPages(pages []manual.Page) string {
	var b strings.Builder
	for _, p := range pages {
		fmt.Fprintf(&b, "%-25s %s\n", p.Title(), p.Summary)
	}
	b.WriteString("\niscsiroot man PAGE shows one, such as: iscsiroot man parameters\n")
	return b.String()
}

// writePages writes the pages as man(1) looks for them. They take their places when all are
// complete.
func writePages(ctx context.Context, dir string, pages []manual.Page) (err error) {
	var takeBack []func()
	back := func() {
		for _, f := range slices.Backward(takeBack) {
			f()
		}
	}
	defer func() {
		if err != nil {
			back()
		}
	}()
	for _, section := range []string{"7", "8"} {
		made, err := outfile.MkdirAll(ctx, filepath.Join(dir, "man"+section))
		if err != nil {
			return err
		}
		defer made.Keep()
		takeBack = append(takeBack, made.Remove)
	}
	var files []*outfile.File
	for _, p := range pages {
		f, err := outfile.Create(ctx, filepath.Join(dir, "man"+p.Section, p.Name+"."+p.Section))
		if err != nil {
			return err
		}
		takeBack, files = append(takeBack, f.Discard), append(files, f)
		if _, err := io.WriteString(f, p.Roff(version)); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, f := range files {
		if err := f.Commit(0o644); err != nil {
			return err
		}
	}
	return nil
}

// showText shows text through a pager on a terminal, and writes it otherwise.
func showText(cmd *cobra.Command, text string) error {
	out := cmd.OutOrStdout()
	words := strings.Fields(os.Getenv("PAGER"))
	if len(words) == 0 {
		words = []string{"less"}
	}
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		_, err := io.WriteString(out, text)
		return err
	}
	return page(cmd, f, words, text)
}

// page runs a pager. A signal ends it by SIGTERM, which less(1) catches to set the terminal back,
// and others may not.
func page(cmd *cobra.Command, f *os.File, words []string, text string) error {
	restore := func() {}
	if state, err := term.GetState(int(f.Fd())); err == nil {
		restore = func() { _ = term.Restore(int(f.Fd()), state) }
	}
	release, err := outfile.Register(cmd.Context(), restore)
	if err != nil {
		return err
	}
	defer release()
	pager := exec.CommandContext(cmd.Context(), words[0], words[1:]...)
	pager.Stdin, pager.Stdout, pager.Stderr = strings.NewReader(text), f, cmd.ErrOrStderr()
	pager.Cancel = func() error { return pager.Process.Signal(syscall.SIGTERM) }
	pager.WaitDelay = tidyTime / 2
	err = pager.Run()
	if cmd.Context().Err() != nil {
		restore()
		return cmd.Context().Err()
	}
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		_, err = io.WriteString(f, text)
	}
	return err
}
