package tidy

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// columns is the head of the table that each page of a store begins with.
const columns = "| store | exclusion | lease ends by | term from; could go back if | failover noticed | TTL | " +
	"lost by the store's own failover |\n|---|---|---|---|---|---|---|\n"

const (
	storesBegin = "<!-- the row of each page in stores/; rewritten by: go test ./internal/tidy -update -->\n"
	storesEnd   = "<!-- end -->\n"
)

func TestTheListOfStoresHasTheRowOfEachPage(t *testing.T) {
	docs := filepath.Join("..", "..", "docs")
	pages, err := filepath.Glob(filepath.Join(docs, "stores", "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	var rows strings.Builder
	var faults []fault
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		found, err := storeRows(filepath.Base(page), string(text))
		if err != nil {
			faults = append(faults, fault{"docs/stores/" + filepath.Base(page), err.Error()})
		}
		rows.WriteString(found)
	}
	list := filepath.Join(docs, "STORES.md")
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	want, err := between(string(text), columns+rows.String())
	switch {
	case err != nil:
		faults = append(faults, fault{"docs/STORES.md", err.Error()})
	case *update && want != string(text):
		if err := os.WriteFile(list, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	case want != string(text):
		faults = append(faults, fault{"docs/STORES.md", "is not what the pages say; run: go test ./internal/tidy -update"})
	}
	report(t, "stores", "whoever chooses a store compares its guarantee with the others in one table", faults)
}

// storeRows returns the rows of the table that a page begins with, each with a link to the page.
func storeRows(page, text string) (string, error) {
	_, after, ok := strings.Cut(text, columns)
	if !ok {
		return "", fmt.Errorf("has no table with the columns %s", strings.SplitN(columns, "\n", 2)[0])
	}
	var rows strings.Builder
	for line := range strings.Lines(after) {
		cells := strings.Split(strings.TrimSuffix(strings.TrimSpace(line), "|"), " | ")
		if !strings.HasPrefix(line, "| ") {
			break
		}
		if len(cells) != 7 {
			return "", fmt.Errorf("has a row with %d cells instead of 7: %.60s", len(cells), line)
		}
		name := strings.TrimPrefix(cells[0], "| ")
		fmt.Fprintf(&rows, "| [%s](stores/%s)%s", name, page, strings.TrimPrefix(line, cells[0]))
	}
	if rows.Len() == 0 {
		return "", fmt.Errorf("has a table without rows")
	}
	return rows.String(), nil
}

// between puts table where the list of stores has its own.
func between(text, table string) (string, error) {
	before, after, begins := strings.Cut(text, storesBegin)
	_, after, ends := strings.Cut(after, storesEnd)
	if !begins || !ends {
		return "", fmt.Errorf("has lost the marks around its table: %q and %q", storesBegin, storesEnd)
	}
	return before + storesBegin + table + storesEnd + after, nil
}

func TestRowsOfStoresAreFound(t *testing.T) {
	rows := "| `lease/x` | a | b | c | d | e | f |\n| `y` | a | b | c | d | e | f |\n"
	got, err := storeRows("x.md", "# X\n\n"+columns+rows+"\nMore.\n")
	want := "| [`lease/x`](stores/x.md) | a | b | c | d | e | f |\n| [`y`](stores/x.md) | a | b | c | d | e | f |\n"
	if err != nil || got != want {
		t.Errorf("%v\n%s", err, got)
	}
	for name, text := range map[string]string{
		"no table": "# X\n", "no rows": columns + "\nMore.\n", "six cells": columns + "| a | b | c | d | e | f |\n",
	} {
		if rows, err := storeRows("x.md", text); err == nil {
			t.Errorf("%s: %q", name, rows)
		}
	}
	if _, err := between("no marks", ""); err == nil {
		t.Error("a list without marks is taken")
	}
}
