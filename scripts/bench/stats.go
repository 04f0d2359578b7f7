package main

import "slices"

// Spread is a median with its range.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// spread is zero without values.
func spread(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return Spread{Median: (v[(n-1)/2] + v[n/2]) / 2, Min: v[0], Max: v[n-1]}
}

// Ratio compares us with another initramfs: the spread over the rounds of our time divided by its
// time in the same round.
type Ratio struct {
	Peer   string `json:"to"`
	Rounds int    `json:"rounds"` // in which both came to their root
	Init   Spread `json:"init"`
	Total  Spread `json:"total"`
	// Modules is the ratio of module times, boot by boot with rd.debug.
	Modules Spread `json:"modules"`
}

// summarise computes what follows from the boots.
func (c *Config) summarise() {
	for i := range c.Results {
		r := &c.Results[i]
		r.Init, r.Total, r.CPU = r.spread(Boot.Init), r.spread(total), r.spread(func(b Boot) float64 { return b.CPU })
	}
	c.DHCP = c.costOfDHCP()
	us := c.Results[slices.IndexFunc(c.Results, func(r Result) bool { return r.Name == ours })]
	for _, peer := range c.Results {
		if peer.Name != ours {
			c.Ratios = append(c.Ratios, compare(us, peer))
		}
	}
}

// costOfDHCP is how many seconds an address by DHCP takes, round by round.
func (c *Config) costOfDHCP() Spread {
	var costs []float64
	for _, with := range c.boots(dhcp) {
		for _, without := range c.boots(ours) {
			if with.Round == without.Round {
				costs = append(costs, with.Init()-without.Init())
			}
		}
	}
	return spread(costs)
}

func (c *Config) boots(name string) []Boot {
	for _, r := range c.Results {
		if r.Name == name {
			return r.Boots
		}
	}
	return nil
}

func total(b Boot) float64 { return b.Real }

func (r Result) spread(of func(Boot) float64) Spread {
	var v []float64
	for _, b := range r.Boots {
		v = append(v, of(b))
	}
	return spread(v)
}

// available is the median of MemAvailable in MiB.
func (r Result) available() float64 {
	return r.spread(func(b Boot) float64 { return float64(b.Available) / 1024 }).Median
}

// compare divides round by round.
func compare(us, peer Result) Ratio {
	var inits, totals []float64
	for _, a := range us.Boots {
		for _, b := range peer.Boots {
			if a.Round == b.Round {
				inits = append(inits, a.Init()/b.Init())
				totals = append(totals, a.Real/b.Real)
			}
		}
	}
	var modules []float64
	for i := range min(len(us.Modules), len(peer.Modules)) {
		if peer.Modules[i] > 0 {
			modules = append(modules, us.Modules[i]/peer.Modules[i])
		}
	}
	return Ratio{Peer: peer.Name, Rounds: len(inits), Init: spread(inits), Total: spread(totals), Modules: spread(modules)}
}
