// Package recovery is the agent that stays when the real system runs: it logs a
// session in again after its connection broke, so that the root disk outlives
// its network.
//
// The agent opens nothing on the root it keeps alive: it runs from memory, in a
// mount namespace that was made before root was mounted, and speaks to
// /dev/kmsg alone.
package recovery
