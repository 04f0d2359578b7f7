package bootspec

import (
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// Modules are the parameters for kernel modules. Names are written with '_', as the kernel compares
// them, in the order given, each once.
type Modules struct {
	// Params are the parameters of a module by its name, MODULE.PARAM=VALUE, as the kernel
	// parses them: separated by blanks; the last value is used. Words of other programs, such
	// as systemd.unit=, are included: there is no module of such a name. nil: none.
	Params map[string]string
	// Blacklist holds modules that no alias may load: modprobe.blacklist=,
	// rd.driver.blacklist=, initramfs-tools' blacklist=, and those of Post.
	Blacklist []string
	// Never holds the modules that the kernel itself refuses to load, module_blacklist=
	// (kernel/module/main.c: blacklisted).
	Never []string
	// Pre is loaded before all other modules, rd.driver.pre=.
	Pre []string
	// Post is loaded once the devices that are there have their drivers, rd.driver.post=.
	Post []string
}

// ParseModules returns the Modules of the plan that Parse makes of the same line, for callers that
// need no plan. Errors of other parameters are ignored.
func ParseModules(line cmdline.Line) Modules {
	ps := &parser{known: NewVocabulary()}
	ps.words(line, func(cmdline.Param, outcome) {})
	return ps.plan.Modules
}

// WithDefault returns m with parameters of a module before those that are given: of two values the
// module uses the last.
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

// modules adds a list of modules.
func (ps *parser) modules(p cmdline.Param) error {
	ps.plan.Modules.add(p)
	var names []string
	if addNames(&names, p.Value); len(names) > 0 {
		shown := Setting{moduleListName(underscored(p.Key)), Redact(strings.Join(names, ",")), source(p)}
		ps.plan.ModuleLists = append(ps.plan.ModuleLists, shown)
	}
	return nil
}

// moduleListName returns what is done with the modules of a list.
func moduleListName(key string) string {
	switch key {
	case "module_blacklist":
		return "modules never loaded"
	case "rd.driver.pre":
		return "modules loaded first"
	case "rd.driver.post":
		return "modules loaded last"
	}
	return "modules not loaded for devices"
}

// moduleParameter adds the module parameter in a word that is not in the table. Words of other
// programs and mistyped parameters are left out: they may be secrets, which must not get into the
// plan.
func (ps *parser) moduleParameter(p cmdline.Param) {
	if !hasReservedPrefix(p.Key) && !ps.known.secretKey(p.Key) && ps.known.instead(p.Key) == "" {
		ps.plan.Modules.add(p)
	}
}

// add adds a word. Lists are separated by commas, and those of a repeated parameter are joined. '-'
// and '_' are equal in keys too, as in the kernel.
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

// addParam adds a module's parameter, if the word is one. The words of dracut, rd.*, are not.
func (m *Modules) addParam(p cmdline.Param) {
	module, param, ok := strings.Cut(p.Key, ".")
	if !ok || module == "" || param == "" || module == "rd" {
		return
	}
	// The module's parser splits at blanks and reads the same quotes (kernel/params.c:
	// parse_args).
	word := cmdline.Param{Key: param, Value: p.Value, HasValue: p.HasValue}.String()
	module = underscored(module)
	if m.Params == nil {
		m.Params = map[string]string{}
	}
	m.Params[module] = strings.TrimSpace(m.Params[module] + " " + word)
}

// addNames adds the modules that the list does not contain.
func addNames(list *[]string, names string) {
	for name := range strings.SplitSeq(underscored(names), ",") {
		if name != "" && !slices.Contains(*list, name) {
			*list = append(*list, name)
		}
	}
}

// underscored writes a module's name as the kernel compares it.
func underscored(name string) string { return strings.ReplaceAll(name, "-", "_") }
