// Package browser opens the pages that package simulate writes in a real browser, without a screen and without a
// network, and looks at them: that they open without an error, that what should be seen is where it should be and has
// the colour that it should have, in light and in dark, wide and narrow. It has no code to import.
//
// Keep the pictures to look at them with go test ./simulate/internal/browser -pictures DIR.
//
// Rejected: comparing with pictures that are kept. Every release of the browser, and every set of fonts, draws a little
// differently; such a test fails for no reason until nobody looks any more.
package browser
