// Package sequence runs a list of steps. Each has a name, what it needs, a deadline and a function;
// [Runner] starts a step as soon as its needs are done, retries retryable errors, and turns any
// other error into a [Failure]. It does not depend on what the steps do.
//
//   - step.go: a step and its failure
//   - errors.go: errors that can be retried, and hints
//   - retry.go: the pauses between attempts, and when they are logged
//   - progress.go: the state of each step, as the shell shows it
//   - activity.go, stuck.go: system calls that no context ends
//   - clock.go: the clock of the deadlines, which stops while the shell is open
package sequence
