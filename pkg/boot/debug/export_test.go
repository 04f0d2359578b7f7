package debug

// DracutSteps are the steps that correspond to dracut's break points.
func DracutSteps() (steps []string) {
	for _, d := range dracutSteps {
		steps = append(steps, d.step)
	}
	return steps
}

// Advised reports whether a step has an entry in remedies.
func Advised(step string) bool {
	for _, r := range remedies {
		if r.step == step {
			return true
		}
	}
	return false
}
