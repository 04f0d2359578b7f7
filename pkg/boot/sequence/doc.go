// Package sequence runs a list of steps. Each has a name, what it needs, a deadline and a function;
// [Runner] starts one as soon as what it needs is done, tries again what a later try may not fail
// at, and turns an error into a [Failure]. It does not depend on what the steps do.
//
//   - step.go: a step, its failure, and what an error tells of retries and hints
//   - runner.go: the rounds of steps, breaks before them, and doing some again
//   - retry.go: the pauses between tries, and when they are logged
//   - progress.go: the state of each step, as the shell shows it
//   - activity.go, stuck.go: system calls that no context ends
//   - clock.go: the clock of the deadlines, which stops while the shell is open
package sequence
