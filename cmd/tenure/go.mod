module github.com/go-tenure/tenure/cmd/tenure

go 1.25.0

replace github.com/go-tenure/tenure => ../..

require (
	github.com/go-tenure/tenure v0.0.0-00010101000000-000000000000
	go.uber.org/goleak v1.3.0
)
