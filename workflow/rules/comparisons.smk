rule comparisons:
    input:
        lambda wildcards: list_paths(plan.list_comparison_runs(config, wildcards.study)),
    output:
        csv=ensure("results/<name>{study}/comparisons.csv", non_empty=True),
        md=ensure("results/<name>{study}/comparisons.md", non_empty=True),
        intervals="results/<name>{study}/intervals.png",
        curves="results/<name>{study}/curves.png",
        runs="results/<name>{study}/runs.parquet",
    log:
        "logs/<name>{study}/comparisons.log",
    benchmark:
        "results/benchmarks/<name>{study}/comparisons.tsv"
    wildcard_constraints:
        study="|".join(plan.STUDIES),
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    params:
        cfg=reads("comparisons"),
        code=code("comparisons.py"),
    script:
        "../scripts/comparisons.py"


rule sweep:
    input:
        "results/<name>sweep/comparisons.md",
    localrule: True


rule headroom:
    input:
        "results/<name>headroom/comparisons.md",
    localrule: True


rule evidence:
    input:
        "results/<name>evidence/comparisons.md",
    localrule: True
