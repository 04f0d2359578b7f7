package bootspec

import (
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// Modules are what the parameters have for kernel modules. Names are written with '_', as the
// kernel compares them, in the order given, each once.
type Modules struct {
	// Params are the parameters of a module by its name, MODULE.PARAM=VALUE, as the kernel
	// takes them: with blanks between, of which the last value counts. Words of others, such as
	// systemd.unit=, are there too; there is no module of that name. nil: none.
	Params map[string]string
	// Blacklist holds modules that no alias may load: modprobe.blacklist=,
	// rd.driver.blacklist=, initramfs-tools' blacklist=, and those of Post.
	Blacklist []string
	// Never holds what the kernel itself refuses to load, module_blacklist=
	// (kernel/module/main.c: blacklisted).
	Never []string
	// Pre is loaded before all else, rd.driver.pre=.
	Pre []string
	// Post is loaded once the devices that are there have their drivers, rd.driver.post=.
	Post []string
}

// ParseModules returns the Modules of the plan that Parse makes of the same line, for callers that
// need no plan. It has no errors: those of other parameters are of no concern.
func ParseModules(line cmdline.Line) Modules {
	ps := &parser{known: NewVocabulary()}
	ps.words(line, func(cmdline.Param, fate) {})
	return ps.plan.Modules
}

// WithDefault returns m with parameters of a module in front of those that are given: of two values
// the module takes the last.
func (m Modules) WithDefault(module, params string) Modules {
	all := map[string]string{module: strings.TrimSpace(params + " " + m.Params[module])}
	for name, given := range m.Params {
		if name != module {
			all[name] = given
		}
	}
	m.Params = all
	return m
}

// modules takes a list of modules.
func (ps *parser) modules(p cmdline.Param) error {
	ps.plan.Modules.add(p)
	return nil
}

// foreignModules takes what a word that is not in the table says about modules, unless it is
// another program's, or one of ours mistyped: that may be a secret, which does not get into the
// plan.
func (ps *parser) foreignModules(p cmdline.Param) {
	if !looksOurs(p.Key) && !ps.known.secretKey(p.Key) && ps.known.instead(p.Key) == "" {
		ps.plan.Modules.add(p)
	}
}

// add takes a word. Lists are separated by commas, and a parameter that is there twice adds up. '-'
// and '_' are equal in keys too, as they are for the kernel.
func (m *Modules) add(p cmdline.Param) {
	switch underscored(p.Key) {
	case "modprobe.blacklist", "rd.driver.blacklist", "blacklist":
		addNames(&m.Blacklist, p.Value)
	case "module_blacklist":
		addNames(&m.Never, p.Value)
	case "rd.driver.pre":
		addNames(&m.Pre, p.Value)
	case "rd.driver.post":
		addNames(&m.Post, p.Value)
		addNames(&m.Blacklist, p.Value)
	default:
		m.addParam(p)
	}
}

// addParam takes a module's parameter, if the word is one. The words of dracut, rd.*, are none.
func (m *Modules) addParam(p cmdline.Param) {
	module, param, ok := strings.Cut(p.Key, ".")
	if !ok || module == "" || param == "" || module == "rd" {
		return
	}
	// The module's own parser splits at blanks and knows the same quotes (kernel/params.c:
	// parse_args).
	word := cmdline.Param{Key: param, Value: p.Value, HasValue: p.HasValue}.String()
	module = underscored(module)
	if m.Params == nil {
		m.Params = map[string]string{}
	}
	m.Params[module] = strings.TrimSpace(m.Params[module] + " " + word)
}

// addNames adds the modules of a list that are not there yet.
func addNames(list *[]string, names string) {
	for name := range strings.SplitSeq(underscored(names), ",") {
		if name != "" && !slices.Contains(*list, name) {
			*list = append(*list, name)
		}
	}
}

// underscored writes a module's name as the kernel compares it.
func underscored(name string) string { return strings.ReplaceAll(name, "-", "_") }
