//go:build !race

package agent

// standardError is the standard error of the agent's processes: they have no console, and what the
// runtime writes is not in the log's form.
func standardError(null uintptr) (fd uintptr, done func()) { return null, func() {} }
