process VARCALL_CALL {
    tag "${meta.id}"
    label 'process_medium'

    conda "${moduleDir}/environment.yml"
    container "${workflow.containerEngine in ['singularity', 'apptainer'] && !task.ext.singularity_pull_docker_container
        ? 'https://depot.galaxyproject.org/singularity/varcall:0.2.0--pyhdfd78af_0'
        : 'quay.io/biocontainers/varcall:0.2.0--pyhdfd78af_0'}"

    input:
    tuple val(meta), path(input), path(index), path(intervals)
    tuple val(meta2), path(fasta)
    tuple val(meta3), path(fai)
    tuple val(meta4), path(gzi)

    output:
    tuple val(meta), path("${prefix}.vcf.gz"), emit: vcf
    tuple val(meta), path("${prefix}.vcf.gz.{tbi,csi}"), emit: index
    tuple val(meta), path("${prefix}.g.vcf.gz"), emit: gvcf
    tuple val(meta), path("${prefix}.g.vcf.gz.{tbi,csi}"), emit: gvcf_index
    tuple val("${task.process}"), val('varcall'), eval('varcall --version | sed "s/^varcall //"'), emit: versions_varcall, topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    prefix = task.ext.prefix ?: "${meta.id}"
    def regions = intervals ? "--regions-file ${intervals}" : ''
    """
    export NUMBA_CACHE_DIR=\$PWD/.numba
    mkdir -p \$NUMBA_CACHE_DIR

    varcall call \\
        ${input} \\
        --ref ${fasta} \\
        --index ${index} \\
        ${regions} \\
        --sample-name ${meta.id} \\
        --threads ${task.cpus} \\
        ${args} \\
        --gvcf ${prefix}.g.vcf.gz \\
        --output ${prefix}.vcf.gz
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    echo "" | gzip > ${prefix}.vcf.gz
    touch ${prefix}.vcf.gz.tbi
    echo "" | gzip > ${prefix}.g.vcf.gz
    touch ${prefix}.g.vcf.gz.tbi
    """
}
