// Package manual holds the manual pages, and writes a page as plain text or for man(1).
//
// The pages are in pages/, one file each, in a small part of Markdown, so that they can be read
// where the sources are:
//
//	# name(section): summary     the first line
//	## TITLE and ### Title       headings
//	a blank line                 ends a paragraph; lines of one paragraph are filled
//	four spaces                  lines that stay as they are
//	- text                       an item; lines that continue it begin with two spaces
//	term, next line ": text"     a definition; several lines before it are several terms;
//	                             lines that continue it begin with two spaces
//	| cell | cell |              a table, with a line |---|---| below its head; \| is a bar
//	`text`                       what is typed or printed as it stands
//	<!-- text -->                a line that is not shown
//
// Parts of a page between <!-- NAME ARGUMENTS --> and <!-- /NAME --> are written from the tables of
// other packages by a test: go test ./integration/repo -run Manual -update.
package manual
