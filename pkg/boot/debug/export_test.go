package debug

// DracutSteps are dracut's break points and the steps that stand for them.
var DracutSteps = dracutSteps

// Advised tells whether a step has commands of its own that may help.
func Advised(step string) bool { _, ok := remedies()[step]; return ok }
