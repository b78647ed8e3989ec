import sys, time
import ray

ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)


@ray.remote
def nothing(number):
    return number


ray.get([nothing.remote(number) for number in range(2_000)])
begun = time.monotonic()
ray.get([nothing.remote(number) for number in range(10_000)])
with open(sys.argv[1], "w") as out:
    out.write(str(round(10_000 / (time.monotonic() - begun))))
ray.shutdown()
