package leasetest

import (
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
)

func TestAToyWithoutDefectKeepsTheLaws(t *testing.T) {
	Run(t, defect{}.config())
}

// TestEveryMutantIsKilled runs the suite against each defect of the toy: a suite that lets one pass does not test that
// promise. In the bubble the pauses of clock.Mock cost nothing.
func TestEveryMutantIsKilled(t *testing.T) {
	for i := range reflect.TypeFor[defect]().NumField() {
		name := reflect.TypeFor[defect]().Field(i).Name
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				found := Check(t.Context(), new(defect).with(i).config())
				if len(found) == 0 {
					t.Fatalf("no law noticed a Manager with the defect %s", name)
				}
				for _, v := range found {
					text, _, _ := strings.Cut(v.String(), "\n")
					t.Log(text)
				}
			})
		})
	}
}

func (d *defect) with(field int) defect {
	broken := *d
	v := reflect.NewAt(reflect.TypeFor[bool](), reflect.ValueOf(&broken).Elem().Field(field).Addr().UnsafePointer())
	v.Elem().SetBool(true)
	return broken
}
