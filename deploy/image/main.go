// Command image writes a container image as an OCI image layout, where no
// container daemon is at hand. It makes what the Dockerfile makes: one static
// binary, the root certificates and the example Caddyfile, for a user without
// rights. Load it with: skopeo copy oci:out/image docker-daemon:llm-gateway:dev
//
// Two runs on the same inputs write the same bytes.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"
)

// nobody owns what the process may write.
const nobody = 65534

func main() {
	log.SetFlags(0)
	binary := flag.String("binary", "bin/caddy-image", "static Linux binary")
	caddyfile := flag.String("caddyfile", "Caddyfile.example", "configuration")
	roots := flag.String("roots", "/etc/ssl/certs/ca-certificates.crt", "root certificates")
	out := flag.String("out", "out/image", "directory of the layout")
	flag.Parse()
	size, err := build(*out, *binary, *caddyfile, *roots)
	if err != nil {
		log.Fatalf("image: %v", err)
	}
	log.Printf("image: %s, %.1f MB compressed, amd64, user %d", *out, float64(size)/1e6, nobody)
}

// build writes the layout and returns the compressed size of the image.
func build(out, binary, caddyfile, roots string) (int, error) {
	layer, err := layerOf(map[string]string{
		"usr/bin/caddy":                     binary,
		"etc/caddy/Caddyfile":               caddyfile,
		"etc/ssl/certs/ca-certificates.crt": roots,
	})
	if err != nil {
		return 0, err
	}
	var compressed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	if err != nil {
		return 0, err
	}
	if _, err := zip.Write(layer); err != nil {
		return 0, err
	}
	if err := zip.Close(); err != nil {
		return 0, err
	}
	return compressed.Len(), writeLayout(out, compressed.Bytes(), digest(layer))
}

// layerOf returns the one layer as a tar archive with fixed times and owners.
func layerOf(files map[string]string) ([]byte, error) {
	var buf bytes.Buffer
	archive := tar.NewWriter(&buf)
	for _, dir := range []string{"usr/", "usr/bin/", "etc/", "etc/caddy/", "etc/ssl/", "etc/ssl/certs/"} {
		if err := archive.WriteHeader(entry(dir, tar.TypeDir, 0o755, 0, 0)); err != nil {
			return nil, err
		}
	}
	for _, dir := range []string{"data/", "config/", "run/llm-gateway/"} {
		if err := archive.WriteHeader(entry(dir, tar.TypeDir, 0o700, 0, nobody)); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"usr/bin/caddy", "etc/caddy/Caddyfile", "etc/ssl/certs/ca-certificates.crt"} {
		content, err := os.ReadFile(files[name])
		if err != nil {
			return nil, err
		}
		mode := int64(0o644)
		if name == "usr/bin/caddy" {
			mode = 0o755
		}
		if err := archive.WriteHeader(entry(name, tar.TypeReg, mode, int64(len(content)), 0)); err != nil {
			return nil, err
		}
		if _, err := archive.Write(content); err != nil {
			return nil, err
		}
	}
	return buf.Bytes(), archive.Close()
}

func entry(name string, kind byte, mode, size int64, owner int) *tar.Header {
	return &tar.Header{Name: name, Typeflag: kind, Mode: mode, Size: size, Uid: owner, Gid: owner, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
}

// writeLayout writes blobs, index and marker (OCI image layout 1.0).
func writeLayout(out string, layer []byte, diffID string) error {
	blobs := filepath.Join(out, "blobs", "sha256")
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		return err
	}
	config := map[string]any{
		"architecture": "amd64", "os": "linux",
		"config": map[string]any{
			"User":         fmt.Sprintf("%d:%d", nobody, nobody),
			"Env":          []string{"XDG_DATA_HOME=/data", "XDG_CONFIG_HOME=/config"},
			"Entrypoint":   []string{"/usr/bin/caddy"},
			"Cmd":          []string{"run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"},
			"ExposedPorts": map[string]any{"8000/tcp": struct{}{}, "9090/tcp": struct{}{}},
		},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{diffID}},
	}
	configBlob, err := writeBlob(blobs, "application/vnd.oci.image.config.v1+json", config)
	if err != nil {
		return err
	}
	layerBlob := descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer)
	if err := os.WriteFile(filepath.Join(blobs, hexOf(layer)), layer, 0o644); err != nil {
		return err
	}
	manifest, err := writeBlob(blobs, "application/vnd.oci.image.manifest.v1+json", map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": configBlob, "layers": []any{layerBlob},
	})
	if err != nil {
		return err
	}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": []any{manifest}})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, "index.json"), index, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644)
}

// writeBlob writes a JSON blob under its digest and returns its descriptor.
func writeBlob(dir, mediaType string, v any) (map[string]any, error) {
	content, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return descriptor(mediaType, content), os.WriteFile(filepath.Join(dir, hexOf(content)), content, 0o644)
}

func descriptor(mediaType string, content []byte) map[string]any {
	return map[string]any{"mediaType": mediaType, "digest": digest(content), "size": len(content)}
}

func digest(content []byte) string { return "sha256:" + hexOf(content) }

func hexOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
