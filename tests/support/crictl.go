// A small crictl: the commands that kubeadm 1.20 to 1.30 calls, over CRI v1alpha2.
//
// kubeadm insists on a crictl on PATH, and Debian has none. This one is built beside Kubernetes (see
// kubernetes_build.py), whose tree vendors the CRI's Go messages. It knows
//
//	crictl [-r ENDPOINT] info | pods -q | inspecti IMAGE | pull IMAGE | stopp ID | rmp ID
//	crictl --version
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1alpha2"
)

const version = "1.20.0"

func main() {
	arguments := os.Args[1:]
	if len(arguments) == 1 && arguments[0] == "--version" {
		fmt.Printf("crictl version v%s\n", version)
		return
	}
	endpoint := "unix:///run/pycri/pycri.sock"
	if len(arguments) > 2 && (arguments[0] == "-r" || arguments[0] == "--runtime-endpoint") {
		endpoint, arguments = arguments[1], arguments[2:]
	}
	if err := run(endpoint, arguments); err != nil {
		fmt.Fprintf(os.Stderr, "crictl: %s %s: %v\n", endpoint, strings.Join(arguments, " "), err)
		os.Exit(1)
	}
}

func run(endpoint string, arguments []string) error {
	// A pull of a large image is the longest; everything else has seconds.
	timeout := 10 * time.Second
	if len(arguments) > 0 && arguments[0] == "pull" {
		timeout = 10 * time.Minute
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	path := strings.TrimPrefix(endpoint, "unix://")
	dial := func(ctx context.Context, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}
	connection, err := grpc.DialContext(ctx, "localhost", grpc.WithInsecure(), grpc.WithBlock(),
		grpc.FailOnNonTempDialError(true), grpc.WithContextDialer(dial))
	if err != nil {
		return err
	}
	defer connection.Close()
	return command(ctx, cri.NewRuntimeServiceClient(connection), cri.NewImageServiceClient(connection), arguments)
}

func command(ctx context.Context, pods cri.RuntimeServiceClient, images cri.ImageServiceClient, words []string) error {
	verb, operand := strings.Join(words, " "), ""
	if len(words) == 2 && !strings.HasPrefix(words[1], "-") {
		verb, operand = words[0], words[1]
	}
	switch {
	case verb == "info":
		answer, err := pods.Status(ctx, &cri.StatusRequest{})
		if err == nil {
			fmt.Println(answer.GetStatus().String())
		}
		return err
	case verb == "pods -q":
		answer, err := pods.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{})
		for _, pod := range answer.GetItems() {
			fmt.Println(pod.Id)
		}
		return err
	case verb == "inspecti" && operand != "":
		answer, err := images.ImageStatus(ctx, &cri.ImageStatusRequest{Image: &cri.ImageSpec{Image: operand}})
		if err == nil && answer.Image == nil {
			return fmt.Errorf("no such image present")
		}
		if err == nil {
			fmt.Println(answer.Image.String())
		}
		return err
	case verb == "pull" && operand != "":
		answer, err := images.PullImage(ctx, &cri.PullImageRequest{Image: &cri.ImageSpec{Image: operand}})
		if err == nil {
			fmt.Printf("Image is up to date for %s\n", answer.ImageRef)
		}
		return err
	case verb == "stopp" && operand != "":
		_, err := pods.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: operand})
		return err
	case verb == "rmp" && operand != "":
		_, err := pods.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: operand})
		return err
	}
	return fmt.Errorf("not a command of this small crictl; it knows info, pods -q, inspecti, pull, stopp and rmp")
}
