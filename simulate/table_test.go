package simulate

import "testing"

func TestTheTableOfFingerprintsIsASetAndTakesAtMostTwelveBytesEach(t *testing.T) {
	var set table
	for i := range uint64(300_000) {
		h := max(mix(1, i), 1)
		if !set.add(h) || set.add(h) {
			t.Fatalf("%x was not new, or new twice", h)
		}
		if perState := 8 * float64(len(set.places)) / float64(set.n); i > 2000 && perState > 12 {
			t.Fatalf("%d fingerprints take %.1f bytes each", set.n, perState)
		}
	}
	for i := range uint64(300_000) {
		if set.add(max(mix(1, i), 1)) {
			t.Fatalf("number %d is lost", i)
		}
	}
	if set.add(1<<64-1) != true || set.add(1<<64-1) != false { // belongs at the very end
		t.Error("the last place is not found again")
	}
}
