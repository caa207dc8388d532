package keycloak

// Inner parts that tests look at.
var (
	EncodeKept = encodeKept
	ParseKeys  = parseKeys
)

// TierOf is the tier that a verifier finds in verified claims.
func TierOf(v *Verifier, claims map[string]any) (string, bool) { return v.tiers.of(claims) }
